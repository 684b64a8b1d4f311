(** * S7: the pass@k estimator. *)
From Coq Require Import Reals List Lra Lia Arith.
From HDPO Require Import FinSum Gibbs Filter.
Import ListNotations.
Open Scope R_scope.

(** The estimator as it is coded: n samples, c correct, budget k. *)
Definition pass_at_k (n c k : nat) : R :=
  if (n - c <? k)%nat then 1 else 1 - INR (choose (n - c) k) / INR (choose n k).

Lemma pass_at_k_formula n c k : 
  pass_at_k n c k = 1 - INR (choose (n - c) k) / INR (choose n k).
Proof.
  unfold pass_at_k. destruct (Nat.ltb_spec (n - c) k) as [H|H]; [|reflexivity].
  rewrite (choose_gt _ _ H). simpl. unfold Rdiv. ring.
Qed.

Theorem S7_range n c k : (k <= n)%nat -> (c <= n)%nat -> 0 <= pass_at_k n c k <= 1.
Proof.
  intros Hk Hc. rewrite pass_at_k_formula.
  assert (Hpos : 0 < INR (choose n k)) by (apply lt_0_INR, choose_pos, Hk).
  assert (Hmono : forall a b, (a <= b)%nat -> (choose a k <= choose b k)%nat).
  { intros a b Hab. induction Hab as [|b Hab IH]; [lia|].
    eapply Nat.le_trans; [exact IH|]. destruct k as [|k]; [rewrite !choose_0_r; lia|simpl; lia]. }
  specialize (Hmono (n - c)%nat n ltac:(lia)). apply le_INR in Hmono.
  pose proof (pos_INR (choose (n - c) k)) as H0.
  split.
  - assert (INR (choose (n - c) k) / INR (choose n k) <= 1); [|lra].
    apply (Rmult_le_reg_r (INR (choose n k))); [assumption|].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra.
  - assert (0 <= INR (choose (n - c) k) / INR (choose n k)); [|lra].
    apply Rmult_le_pos; [assumption|left; now apply Rinv_0_lt_compat].
Qed.

(** The numerically stable product used in code:
    C(n-c,k)/C(n,k) = prod_{i = n-c+1}^{n} (1 - k/i). *)
Fixpoint prod_tail (k m c : nat) : R :=   (* prod_{i=m+1}^{m+c} (1 - k/i) *)
  match c with
  | O => 1
  | S c' => prod_tail k m c' * (1 - INR k / INR (m + c))
  end.

Theorem S7_product_form k m c :
  (k <= m)%nat -> INR (choose m k) / INR (choose (m + c) k) = prod_tail k m c.
Proof.
  intros Hk. induction c as [|c IH].
  - rewrite Nat.add_0_r. simpl. field. apply not_0_INR.
    pose proof (choose_pos m k Hk). lia.
  - change (prod_tail k m (S c)) with (prod_tail k m c * (1 - INR k / INR (m + S c))).
    rewrite <- IH.
    replace (m + S c)%nat with (S (m + c)) by lia.
    assert (H1 : INR (choose (m + c) k) <> 0).
    { apply not_0_INR. pose proof (choose_pos (m + c) k ltac:(lia)). lia. }
    assert (H2 : INR (choose (S (m + c)) k) <> 0).
    { apply not_0_INR. pose proof (choose_pos (S (m + c)) k ltac:(lia)). lia. }
    assert (H3 : INR (S (m + c)) <> 0) by (apply not_0_INR; lia).
    pose proof (choose_absorb (m + c) k ltac:(lia)) as E.
    apply (f_equal INR) in E. rewrite !mult_INR, minus_INR in E by lia.
    apply (Rmult_eq_reg_r (INR (choose (S (m + c)) k) * INR (S (m + c)) * INR (choose (m + c) k)));
      [|repeat apply Rmult_integral_contrapositive_currified; assumption].
    field_simplify; [|auto|auto].
    replace (INR (choose m k) * INR (S (m + c)) * INR (choose (m + c) k))
      with (INR (choose m k) * (INR (S (m + c)) * INR (choose (m + c) k))) by ring.
    rewrite E. ring.
Qed.

Section Unbiased.
  Context {T : Type}.
  Variable l : list T.
  Variable mu : T -> R.
  Hypothesis Hmu : dist l mu.
  Variable R1 : T -> bool.
  Let p := success l mu R1.

  Definition successes (ts : list T) : nat := length (filter R1 ts).
  Definition failures (ts : list T) : nat := length (filter (fun t => negb (R1 t)) ts).

  Lemma successes_failures ts : (successes ts + failures ts = length ts)%nat.
  Proof.
    unfold successes, failures. induction ts as [|t ts IH]; simpl; [reflexivity|].
    destruct (R1 t); simpl; lia.
  Qed.

  (** E[ C(#failures, k) ] = C(n,k) (1-p)^k. *)
  Lemma expected_choose_failures n : forall k,
    iid l mu n (fun ts => INR (choose (failures ts) k)) = INR (choose n k) * (1 - p) ^ k.
  Proof.
    induction n as [|n IH]; intros k.
    - simpl. unfold ret, failures; simpl. destruct k; simpl; ring.
    - change (iid l mu (S n) (fun ts => INR (choose (failures ts) k)))
        with (expect l mu (fun t => iid l mu n (fun ts => INR (choose (failures (t :: ts)) k)))).
      transitivity (expect l mu (fun t => if R1 t then iid l mu n (fun ts => INR (choose (failures ts) k))
                                        else iid l mu n (fun ts => INR (choose (S (failures ts)) k)))).
      { apply sum_ext; intros t Ht. unfold failures. simpl. destruct (R1 t); reflexivity. }
      rewrite (expect_split l mu Hmu R1). fold p.
      rewrite sum_scal_r. fold (expect l mu (reward R1)). change (expect l mu (reward R1)) with p.
      destruct k as [|k].
      + rewrite (iid_ext l mu n (fun ts => INR (choose (S (failures ts)) 0)) (fun ts => INR (choose (failures ts) 0)))
          by (intros; now rewrite !choose_0_r).
        rewrite IH, !choose_0_r. simpl. ring.
      + rewrite (iid_ext l mu n (fun ts => INR (choose (S (failures ts)) (S k)))
                   (fun ts => INR (choose (failures ts) k) + INR (choose (failures ts) (S k))))
          by (intros; simpl; apply plus_INR).
        rewrite iid_plus, !IH.
        change (choose (S n) (S k)) with (choose n k + choose n (S k))%nat.
        rewrite plus_INR. simpl. ring.
  Qed.

  (** S7: unbiasedness, for every k <= n. *)
  Theorem S7_unbiased n k :
    (k <= n)%nat ->
    iid l mu n (fun ts => pass_at_k n (successes ts) k) = 1 - (1 - p) ^ k.
  Proof.
    intros Hk.
    assert (Hpos : INR (choose n k) <> 0) by (apply not_0_INR; pose proof (choose_pos n k Hk); lia).
    rewrite (iid_ext_length l mu n _ (fun ts => 1 + (- / INR (choose n k)) * INR (choose (failures ts) k))).
    - rewrite iid_plus, iid_scal, iid_const, expected_choose_failures by assumption. field. assumption.
    - intros ts Hts. rewrite pass_at_k_formula. pose proof (successes_failures ts).
      replace (n - successes ts)%nat with (failures ts) by lia. unfold Rdiv. ring.
  Qed.

  (** Probability that at least one of k i.i.d. samples is correct. *)
  Theorem S7_target k :
    iid l mu k (fun ts => if existsb R1 ts then 1 else 0) = 1 - (1 - p) ^ k.
  Proof.
    induction k as [|k IH].
    - simpl. unfold ret; simpl. ring.
    - change (iid l mu (S k) (fun ts => if existsb R1 ts then 1 else 0))
        with (expect l mu (fun t => iid l mu k (fun ts => if existsb R1 (t :: ts) then 1 else 0))).
      transitivity (expect l mu (fun t => if R1 t then 1 else iid l mu k (fun ts => if existsb R1 ts then 1 else 0))).
      { apply sum_ext; intros t Ht. simpl. destruct (R1 t); simpl; [|reflexivity].
        now rewrite iid_const. }
      rewrite (expect_split l mu Hmu R1), IH, sum_scal_r. fold p.
      fold (expect l mu (reward R1)). change (expect l mu (reward R1)) with p. simpl. ring.
  Qed.

  (** The cliff event: all n rollouts fail, with probability (1-p)^n. *)
  Corollary S7_cliff_probability n :
    iid l mu n (fun ts => if existsb R1 ts then 0 else 1) = (1 - p) ^ n.
  Proof.
    rewrite (iid_ext l mu n _ (fun ts => 1 + (-1) * (if existsb R1 ts then 1 else 0))).
    - rewrite iid_plus, iid_scal, iid_const, S7_target by assumption. ring.
    - intros ts. destruct (existsb R1 ts); ring.
  Qed.
End Unbiased.
