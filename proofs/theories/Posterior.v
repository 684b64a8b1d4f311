(** * S19: what n rollouts say about a prompt's success probability.

    With a Beta(a + 1, b + 1) prior (a, b natural numbers; a = b = 0 is the uniform prior) and c
    successes and f failures, the posterior is Beta(a + c + 1, b + f + 1).  [beta_mass] is the integral
    that normalises it; the probability that the next k rollouts all fail is a ratio of two of them.
    For priors with real parameters (Jeffreys) the same product is proved to be what sequential
    prediction gives. *)
From Coq Require Import Reals List Lra Lia.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum Gibbs Filter PassAtK.
Import ListNotations.
Open Scope R_scope.

Section BetaIntegral.
  Definition beta_kernel (a b : nat) (x : R) : R := x ^ a * (1 - x) ^ b.
  Definition beta_mass (a b : nat) : R := RInt (beta_kernel a b) 0 1.

  Lemma beta_kernel_continuous a b x : continuous (beta_kernel a b) x.
  Proof.
    apply (ex_derive_continuous (beta_kernel a b)). unfold beta_kernel. auto_derive. exact I.
  Qed.

  Lemma beta_kernel_integrable a b : ex_RInt (beta_kernel a b) 0 1.
  Proof. apply (ex_RInt_continuous (V := R_CompleteNormedModule)). intros; apply beta_kernel_continuous. Qed.

  (** x^a (1-x)^b = x^(a+1) (1-x)^b + x^a (1-x)^(b+1). *)
  Lemma beta_mass_split a b : beta_mass a b = beta_mass (S a) b + beta_mass a (S b).
  Proof.
    unfold beta_mass. rewrite <- (RInt_plus (V := R_CompleteNormedModule)) by apply beta_kernel_integrable.
    apply (RInt_ext (V := R_CompleteNormedModule)). intros x _. unfold beta_kernel, plus; simpl. ring.
  Qed.

  (** Integration by parts: (b+1) int x^(a+1) (1-x)^b = (a+1) int x^a (1-x)^(b+1). *)
  Lemma beta_mass_parts a b :
    INR (S b) * beta_mass (S a) b = INR (S a) * beta_mass a (S b).
  Proof.
    assert (D : forall x, is_derive (beta_kernel (S a) (S b)) x
      (INR (S a) * beta_kernel a (S b) x - INR (S b) * beta_kernel (S a) b x)).
    { intros x. unfold beta_kernel. auto_derive; [exact I|].
      change (match a with O => 1 | S _ => INR a + 1 end) with (INR (S a)).
      change (match b with O => 1 | S _ => INR b + 1 end) with (INR (S b)).
      change (1 + - x) with (1 - x). rewrite !tech_pow_Rmult. ring. }
    assert (C : forall x, continuous
      (fun x => INR (S a) * beta_kernel a (S b) x - INR (S b) * beta_kernel (S a) b x) x).
    { intros x. apply (ex_derive_continuous (V := R_NormedModule)). unfold beta_kernel. auto_derive. exact I. }
    pose proof (is_RInt_derive (V := R_CompleteNormedModule) (beta_kernel (S a) (S b)) _ 0 1
      ltac:(intros; apply D) ltac:(intros; apply C)) as H.
    apply is_RInt_unique in H. unfold minus, plus, opp in H; simpl in H.
    replace (beta_kernel (S a) (S b) 1 + - beta_kernel (S a) (S b) 0) with 0 in H
      by (unfold beta_kernel; simpl; ring).
    change (RInt (fun x => minus (scal (INR (S a)) (beta_kernel a (S b) x))
                                 (scal (INR (S b)) (beta_kernel (S a) b x))) 0 1 = 0) in H.
    rewrite (RInt_minus (V := R_CompleteNormedModule)) in H
      by (apply (ex_RInt_scal (V := R_CompleteNormedModule)), beta_kernel_integrable).
    rewrite !(RInt_scal (V := R_CompleteNormedModule)) in H by apply beta_kernel_integrable.
    unfold minus, plus, opp, scal in H; simpl in H; unfold mult in H; simpl in H.
    fold (beta_mass a (S b)) in H. fold (beta_mass (S a) b) in H.
    simpl INR in *. lra.
  Qed.

  Lemma beta_mass_fail a b : beta_mass a (S b) = INR (S b) / INR (a + b + 2) * beta_mass a b.
  Proof.
    pose proof (beta_mass_split a b) as S1. pose proof (beta_mass_parts a b) as P.
    assert (Ha : 0 < INR (S a)) by (apply lt_0_INR; lia).
    assert (Hb : 0 < INR (S b)) by (apply lt_0_INR; lia).
    assert (E : INR (a + b + 2) = INR (S a) + INR (S b)).
    { replace (a + b + 2)%nat with (S a + S b)%nat by lia. apply plus_INR. }
    rewrite E, S1.
    apply (Rmult_eq_reg_r (INR (S a) + INR (S b))); [|lra].
    replace (INR (S b) / (INR (S a) + INR (S b)) * (beta_mass (S a) b + beta_mass a (S b)) * (INR (S a) + INR (S b)))
      with (INR (S b) * beta_mass (S a) b + INR (S b) * beta_mass a (S b)) by (field; lra).
    rewrite P. ring.
  Qed.

  Lemma beta_mass_sym a b : beta_mass a b = beta_mass b a.
  Proof.
    unfold beta_mass.
    pose proof (RInt_comp_lin (V := R_CompleteNormedModule) (beta_kernel a b) (-1) 1 0 1) as H.
    replace (-1 * 0 + 1) with 1 in H by ring. replace (-1 * 1 + 1) with 0 in H by ring.
    assert (Hx : ex_RInt (beta_kernel a b) 1 0) by (apply ex_RInt_swap, beta_kernel_integrable).
    specialize (H Hx).
    rewrite <- (opp_RInt_swap (V := R_CompleteNormedModule) (beta_kernel a b) 0 1
      (beta_kernel_integrable a b)) in H.
    assert (E : RInt (fun y => scal (-1) (beta_kernel a b (-1 * y + 1))) 0 1
                = opp (RInt (beta_kernel b a) 0 1)).
    { rewrite <- (RInt_opp (V := R_CompleteNormedModule)) by apply beta_kernel_integrable.
      apply (RInt_ext (V := R_CompleteNormedModule)). intros x _.
      unfold beta_kernel, scal, opp; simpl; unfold mult; simpl.
      replace (-1 * x + 1) with (1 - x) by ring. replace (1 - (1 - x)) with x by ring. ring. }
    pose proof (eq_trans (eq_sym E) H) as H2. unfold opp in H2; simpl in H2. lra.
  Qed.

  Lemma beta_mass_pos a b : 0 < beta_mass a b.
  Proof.
    assert (Z : forall c, 0 < beta_mass c 0).
    { intros c. assert (E : beta_mass c 0 = / INR (S c)).
      { assert (Hc : INR (S c) <> 0) by (apply not_0_INR; lia).
        unfold beta_mass. apply is_RInt_unique.
        replace (/ INR (S c)) with (minus (1 ^ S c / INR (S c)) (0 ^ S c / INR (S c))).
        - apply (is_RInt_derive (V := R_CompleteNormedModule) (fun x => x ^ S c / INR (S c))).
          + intros x _. unfold beta_kernel. auto_derive; [exact I|].
            change (Init.Nat.pred (S c)) with c. simpl (_ ^ 0).
            change (match c with 0%nat => 1 | S _ => INR c + 1 end) with (INR (S c)) in *. field. exact Hc.
          + intros x _. apply beta_kernel_continuous.
        - unfold minus, plus, opp; simpl plus. rewrite pow1, pow_i by lia. simpl. field. exact Hc. }
      rewrite E. apply Rinv_0_lt_compat, lt_0_INR. lia. }
    induction b as [|b IH]; [apply Z|]. rewrite beta_mass_fail.
    apply Rmult_lt_0_compat; [|assumption]. apply Rdiv_lt_0_compat; apply lt_0_INR; lia.
  Qed.

  (** Posterior mean: (a+1)/(a+b+2), Laplace's rule for the uniform prior. *)
  Theorem S19_posterior_mean a b :
    RInt (fun x => x * beta_kernel a b x) 0 1 / beta_mass a b = INR (S a) / INR (a + b + 2).
  Proof.
    assert (E : RInt (fun x => x * beta_kernel a b x) 0 1 = beta_mass (S a) b).
    { apply (RInt_ext (V := R_CompleteNormedModule)). intros x _. unfold beta_kernel. simpl. ring. }
    pose proof (beta_mass_pos a b) as P.
    rewrite E, (beta_mass_sym (S a) b), beta_mass_fail, (beta_mass_sym b a).
    replace (b + a + 2)%nat with (a + b + 2)%nat by lia. field. split; [|lra].
    apply not_0_INR. lia.
  Qed.
End BetaIntegral.

(** prod_{i<k} (b + i) / (a + b + i): Beta.p_all_fail in cliffs/beta.py, any real a, b. *)
Fixpoint p_all_fail (a b : R) (k : nat) : R :=
  match k with
  | O => 1
  | S k' => p_all_fail a b k' * ((b + INR k') / (a + b + INR k'))
  end.

(** The posterior probability that the next k rollouts all fail, E[(1-p)^k | data]. *)
Theorem S19_next_all_fail a b k :
  RInt (fun x => (1 - x) ^ k * beta_kernel a b x) 0 1 / beta_mass a b
  = p_all_fail (INR (S a)) (INR (S b)) k.
Proof.
  assert (E : RInt (fun x => (1 - x) ^ k * beta_kernel a b x) 0 1 = beta_mass a (b + k)).
  { apply (RInt_ext (V := R_CompleteNormedModule)). intros x _. unfold beta_kernel.
    rewrite pow_add. match goal with |- @eq _ ?u ?w => change (@eq R u w) end. ring. }
  rewrite E. clear E. pose proof (beta_mass_pos a b) as P.
  induction k as [|k IH].
  - rewrite Nat.add_0_r. simpl. field. lra.
  - replace (b + S k)%nat with (S (b + k)) by lia. rewrite beta_mass_fail.
    change (p_all_fail (INR (S a)) (INR (S b)) (S k)) with
      (p_all_fail (INR (S a)) (INR (S b)) k
       * ((INR (S b) + INR k) / (INR (S a) + INR (S b) + INR k))).
    rewrite <- IH.
    replace (INR (S (b + k))) with (INR (S b) + INR k) by (rewrite <- plus_INR; f_equal; lia).
    replace (INR (a + (b + k) + 2)) with (INR (S a) + INR (S b) + INR k)
      by (rewrite <- !plus_INR; f_equal; lia).
    field. split; try lra; rewrite <- !plus_INR; apply not_0_INR; lia.
Qed.

(** That they all succeed, E[p^k | data]: the same product with a and b exchanged. *)
Theorem S19_next_all_pass a b k :
  RInt (fun x => x ^ k * beta_kernel a b x) 0 1 / beta_mass a b
  = p_all_fail (INR (S b)) (INR (S a)) k.
Proof.
  rewrite <- S19_next_all_fail, (beta_mass_sym a b). f_equal.
  transitivity (beta_mass (a + k) b).
  - apply (RInt_ext (V := R_CompleteNormedModule)). intros x _. unfold beta_kernel.
    rewrite pow_add. match goal with |- @eq _ ?u ?w => change (@eq R u w) end. ring.
  - rewrite beta_mass_sym. symmetry.
    apply (RInt_ext (V := R_CompleteNormedModule)). intros x _. unfold beta_kernel.
    rewrite pow_add. match goal with |- @eq _ ?u ?w => change (@eq R u w) end. ring.
Qed.

(** Bayes' rule: prior times likelihood is the kernel with the counts added. *)
Theorem S19_conjugate a b c f x :
  beta_kernel a b x * (x ^ c * (1 - x) ^ f) = beta_kernel (a + c) (b + f) x.
Proof. unfold beta_kernel. rewrite !pow_add. ring. Qed.

(** Real parameters: predicting one rollout at a time and updating after each failure gives the same
    number, and failures seen shift b. *)
Theorem S19_update_after_failures a b j k :
  0 < a -> 0 < b ->
  p_all_fail a b (j + k) = p_all_fail a b j * p_all_fail a (b + INR j) k.
Proof.
  intros Ha Hb. induction k as [|k IH].
  - rewrite Nat.add_0_r. simpl. ring.
  - replace (j + S k)%nat with (S (j + k)) by lia. simpl p_all_fail. rewrite IH, plus_INR.
    pose proof (pos_INR j). pose proof (pos_INR k). field. lra.
Qed.

Theorem S19_all_fail_range a b k :
  0 < a -> 0 < b -> 0 < p_all_fail a b k <= 1.
Proof.
  intros Ha Hb. induction k as [|k IH]; simpl; [lra|]. pose proof (pos_INR k) as Hk.
  assert (0 < (b + INR k) / (a + b + INR k)) by (apply Rdiv_lt_0_compat; lra).
  assert ((b + INR k) / (a + b + INR k) <= 1).
  { apply (Rmult_le_reg_r (a + b + INR k)); [lra|].
    replace ((b + INR k) / (a + b + INR k) * (a + b + INR k)) with (b + INR k) by (field; lra). lra. }
  split; [apply Rmult_lt_0_compat; lra|]. nra.
Qed.

(** More failures seen make another failing group likelier: a cliff is a matter of degree. *)
Theorem S19_failures_raise_all_fail a b b' k :
  0 < a -> 0 < b <= b' -> p_all_fail a b k <= p_all_fail a b' k.
Proof.
  intros Ha Hb. induction k as [|k IH]; simpl; [lra|]. pose proof (pos_INR k) as Hk.
  apply Rmult_le_compat.
  - left. apply S19_all_fail_range; lra.
  - left. apply Rdiv_lt_0_compat; lra.
  - exact IH.
  - apply (Rmult_le_reg_r ((a + b + INR k) * (a + b' + INR k))); [apply Rmult_lt_0_compat; lra|].
    replace ((b + INR k) / (a + b + INR k) * ((a + b + INR k) * (a + b' + INR k)))
      with ((b + INR k) * (a + b' + INR k)) by (field; lra).
    replace ((b' + INR k) / (a + b' + INR k) * ((a + b + INR k) * (a + b' + INR k)))
      with ((b' + INR k) * (a + b + INR k)) by (field; lra).
    nra.
Qed.

(** A cliff that was retried: failing 2 k times is failing k times, then k times under the posterior. *)
Corollary S19_escape a b k :
  0 < a -> 0 < b ->
  1 - p_all_fail a (b + INR k) k = 1 - p_all_fail a b (k + k) / p_all_fail a b k.
Proof.
  intros Ha Hb. rewrite S19_update_after_failures by assumption.
  destruct (S19_all_fail_range a b k Ha Hb) as [H _]. field. lra.
Qed.

(** Without a prior: a group of n failures rules out, at level alpha, any p with (1-p)^n < alpha. *)
Section Confidence.
  Context {T : Type}.
  Variable l : list T.
  Variable mu : T -> R.
  Hypothesis Hmu : dist l mu.
  Variable R1 : T -> bool.
  Let p := success l mu R1.

  (** Rollouts drawn until the first success, giving up after n. *)
  Fixpoint tries (n : nat) : M nat :=
    match n with
    | O => ret O
    | S n' => bind (draw l mu) (fun t =>
                if R1 t then ret 1%nat else bind (tries n') (fun m => ret (S m)))
    end.

  Lemma tries_ext n (k k' : nat -> R) : (forall m, k m = k' m) -> tries n k = tries n k'.
  Proof.
    revert k k'. induction n as [|n IH]; intros k k' H; simpl; unfold bind, ret, draw; [apply H|].
    apply sum_ext; intros t _. f_equal. destruct (R1 t); [apply H|]. apply IH. intros; apply H.
  Qed.

  Lemma tries_affine n (k : nat -> R) : tries n (fun m => 1 + k m) = 1 + tries n k.
  Proof.
    revert k. induction n as [|n IH]; intros k; simpl; unfold bind, ret, draw; [reflexivity|].
    destruct Hmu as [_ S1].
    transitivity (expect l mu (fun t => 1 + (if R1 t then ret 1%nat else fun k => tries n (fun m => k (S m))) k)).
    - apply sum_ext; intros t _. destruct (R1 t); [reflexivity|].
      rewrite <- (IH (fun m => k (S m))). reflexivity.
    - unfold expect.
      rewrite (sum_ext l _ (fun t => mu t + mu t * (if R1 t then ret 1%nat else fun k => tries n (fun m => k (S m))) k))
        by (intros; ring).
      rewrite sum_plus, S1. f_equal.
  Qed.

  (** Their mean is sum_{t<n} (1-p)^t: Beta.expected_rollouts averages this over the belief. *)
  Theorem S19_expected_rollouts n :
    (0 < n)%nat -> tries n INR = sum_f_R0 (fun t => (1 - p) ^ t) (n - 1).
  Proof.
    intros Hn. destruct n as [|n]; [lia|]. clear Hn. replace (S n - 1)%nat with n by lia.
    assert (Step : forall n, tries (S n) INR = 1 + (1 - p) * tries n INR).
    { clear n. intros n. simpl. unfold bind, ret, draw.
      transitivity (expect l mu (fun t => if R1 t then 1 else 1 + tries n INR)).
      { apply sum_ext; intros t _. destruct (R1 t); [reflexivity|]. f_equal.
        rewrite <- tries_affine. apply tries_ext. intros m. rewrite S_INR. ring. }
      rewrite (expect_split l mu Hmu R1). rewrite sum_scal_r.
      change (sum l (fun t => mu t * reward R1 t)) with p. fold p. ring. }
    induction n as [|n IH].
    - rewrite Step. simpl. unfold ret. simpl. ring.
    - rewrite Step, IH. rewrite (decomp_sum (fun t => (1 - p) ^ t) (S n)) by lia. simpl pred.
      rewrite <- sum_f_R0_scal. simpl. reflexivity.
  Qed.

  Theorem S19_rule_of_three n alpha :
    (0 < n)%nat -> 0 < alpha -> p < 1 -> - ln alpha / INR n <= p ->
    iid l mu n (fun ts => if existsb R1 ts then 0 else 1) <= alpha.
  Proof.
    intros Hn Ha Hp1 H. rewrite (S7_cliff_probability l mu Hmu R1). fold p.
    assert (HN : 0 < INR n) by now apply lt_0_INR.
    assert (B : 1 - p <= exp (- p)) by (pose proof (exp_ineq1_le (- p)); lra).
    apply Rle_trans with (exp (- p) ^ n); [apply pow_incr; lra|].
    assert (E : forall k, exp (- p) ^ k = exp (- (INR k * p))).
    { induction k as [|k IH]; [simpl; rewrite Rmult_0_l, Ropp_0, exp_0; reflexivity|].
      rewrite S_INR. simpl. rewrite IH, <- exp_plus. f_equal. ring. }
    rewrite E. rewrite <- (exp_ln alpha) by assumption.
    apply (Rmult_le_compat_l (INR n)) in H; [|lra].
    replace (INR n * (- ln alpha / INR n)) with (- ln alpha) in H by (field; lra).
    destruct (Req_dec (- (INR n * p)) (ln alpha)) as [->|N]; [lra|].
    left. apply exp_increasing. lra.
  Qed.
End Confidence.
