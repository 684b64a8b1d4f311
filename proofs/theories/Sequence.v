(** * S10: autoregressive policies, chain rule, and the filtered policy.

    A policy maps a prefix to a next-token law on the vocabulary [V].
    Trajectories of [n] further tokens are enumerated by [completions n]. *)
From Coq Require Import Reals List Lra Lia.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum Gibbs Softmax JSD Proxy.
Import ListNotations.
Open Scope R_scope.

Lemma sum_map {A B} (g : A -> B) (l : list A) (f : B -> R) :
  sum (map g l) f = sum l (fun a => f (g a)).
Proof. induction l as [|a l IH]; simpl; [reflexivity|]. now rewrite IH. Qed.

Lemma sum_flat_map {A B} (g : A -> list B) (l : list A) (f : B -> R) :
  sum (flat_map g l) f = sum l (fun a => sum (g a) f).
Proof. induction l as [|a l IH]; simpl; [reflexivity|]. now rewrite sum_app, IH. Qed.

Section Sequence.
  Context {T : Type}.
  Variable V : list T.
  Implicit Types (P Q : list T -> T -> R) (pre ts : list T).

  Definition policy P : Prop := forall pre, dist V (P pre).
  Definition policy_ac P Q : Prop := forall pre, abs_cont V (P pre) (Q pre).

  Fixpoint completions (n : nat) : list (list T) :=
    match n with
    | O => [[]]
    | S n' => flat_map (fun t => map (cons t) (completions n')) V
    end.

  Fixpoint joint P pre ts : R :=
    match ts with
    | [] => 1
    | t :: ts' => P pre t * joint P (pre ++ [t]) ts'
    end.

  Lemma sum_completions_S n (f : list T -> R) :
    sum (completions (S n)) f = sum V (fun t => sum (completions n) (fun ts => f (t :: ts))).
  Proof.
    simpl. rewrite sum_flat_map. apply sum_ext; intros t _. apply sum_map.
  Qed.

  Lemma in_completions_S n ts : In ts (completions (S n)) -> exists t ts', ts = t :: ts' /\ In t V /\ In ts' (completions n).
  Proof.
    simpl. rewrite in_flat_map. intros (t & Ht & Hm). apply in_map_iff in Hm.
    destruct Hm as (ts' & <- & Hin). eauto.
  Qed.

  Lemma joint_nonneg P n : policy P -> forall pre ts, In ts (completions n) -> 0 <= joint P pre ts.
  Proof.
    intros HP. induction n as [|n IH]; intros pre ts Hts.
    - destruct Hts as [<-|[]]. simpl. lra.
    - apply in_completions_S in Hts. destruct Hts as (t & ts' & -> & Ht & Hts'). simpl.
      apply Rmult_le_pos; [now apply HP|now apply IH].
  Qed.

  Lemma joint_sum P n : policy P -> forall pre, sum (completions n) (joint P pre) = 1.
  Proof.
    intros HP. induction n as [|n IH]; intros pre.
    - simpl. lra.
    - rewrite sum_completions_S. simpl. rewrite (sum_ext V _ (P pre)).
      + apply HP.
      + intros t _. rewrite sum_scal, IH. ring.
  Qed.

  Lemma joint_dist P n pre : policy P -> dist (completions n) (joint P pre).
  Proof. intros HP. split; [intros; now apply (joint_nonneg P n)|now apply joint_sum]. Qed.

  Lemma joint_ac P Q n : policy_ac P Q -> forall pre, abs_cont (completions n) (joint P pre) (joint Q pre).
  Proof.
    intros Hac. induction n as [|n IH]; intros pre ts Hts.
    - destruct Hts as [<-|[]]. simpl. lra.
    - apply in_completions_S in Hts. destruct Hts as (t & ts' & -> & Ht & Hts'). simpl. intros E.
      apply Rmult_integral in E. destruct E as [E|E].
      + rewrite (Hac pre t Ht E). ring.
      + rewrite (IH _ ts' Hts' E). ring.
  Qed.

  (** Token-level expected KL along P: the quantity the loss averages. *)
  Fixpoint token_kl P Q (n : nat) pre : R :=
    match n with
    | O => 0
    | S n' => KL V (P pre) (Q pre) + sum V (fun t => P pre t * token_kl P Q n' (pre ++ [t]))
    end.

  Lemma kl_term_mult a b c d :
    0 <= a -> 0 <= b -> 0 <= c -> 0 <= d -> (c = 0 -> a = 0) -> (d = 0 -> b = 0) ->
    kl_term (a * b) (c * d) = b * kl_term a c + a * kl_term b d.
  Proof.
    intros Ha Hb Hc Hd Hac Hbd.
    destruct (Req_dec a 0) as [->|Na]; [rewrite Rmult_0_l, !kl_term_0; ring|].
    destruct (Req_dec b 0) as [->|Nb]; [rewrite Rmult_0_r, !kl_term_0; ring|].
    assert (0 < c) by (destruct (Req_dec c 0); [tauto|lra]).
    assert (0 < d) by (destruct (Req_dec d 0); [tauto|lra]).
    unfold kl_term. replace (a * b / (c * d)) with ((a / c) * (b / d)) by (field; lra).
    rewrite ln_mult by (apply Rdiv_lt_0_compat; lra). ring.
  Qed.

  (** Chain rule. *)
  Theorem S10_chain_rule P Q n :
    policy P -> policy Q -> policy_ac P Q ->
    forall pre, KL (completions n) (joint P pre) (joint Q pre) = token_kl P Q n pre.
  Proof.
    intros HP HQ Hac. induction n as [|n IH]; intros pre.
    - unfold KL. simpl. unfold kl_term. replace (1 / 1) with 1 by field. rewrite ln_1. ring.
    - unfold KL. rewrite sum_completions_S. simpl token_kl. unfold KL at 1. rewrite <- sum_plus.
      apply sum_ext; intros t Ht.
      rewrite (sum_ext (completions n) _ (fun ts => joint P (pre ++ [t]) ts * kl_term (P pre t) (Q pre t)
          + P pre t * kl_term (joint P (pre ++ [t]) ts) (joint Q (pre ++ [t]) ts))).
      + rewrite sum_plus, sum_scal_r, sum_scal, joint_sum by assumption.
        fold (KL (completions n) (joint P (pre ++ [t])) (joint Q (pre ++ [t]))). rewrite IH. ring.
      + intros ts Hts. simpl. apply kl_term_mult.
        * now apply HP.
        * now apply (joint_nonneg P n).
        * now apply HQ.
        * now apply (joint_nonneg Q n).
        * now apply Hac.
        * now apply (joint_ac P Q n).
  Qed.

  (** A per-token bound B gives n B for the trajectory. *)
  Theorem S10_sequence_bound P Q n B :
    policy P -> (forall pre, KL V (P pre) (Q pre) <= B) ->
    forall pre, token_kl P Q n pre <= INR n * B.
  Proof.
    intros HP HB. induction n as [|n IH]; intros pre; [simpl; lra|].
    rewrite S_INR. simpl token_kl.
    assert (sum V (fun t => P pre t * token_kl P Q n (pre ++ [t])) <= sum V (fun t => P pre t * (INR n * B))).
    { apply sum_le; intros t Ht. apply Rmult_le_compat_l; [now apply HP|apply IH]. }
    rewrite sum_scal_r in H. destruct (HP pre) as [_ S]. rewrite S in H. specialize (HB pre). lra.
  Qed.

  (** Proposition 1 for whole trajectories: logits within D at every prefix. *)
  Theorem S10_prop1_sequence (zT zS : list T -> T -> R) D n pre :
    V <> [] ->
    (forall pre t, In t V -> Rabs (zT pre t - zS pre t) <= D) ->
    KL (completions n) (joint (fun pre => softmax V (zT pre)) pre) (joint (fun pre => softmax V (zS pre)) pre)
      <= INR n * (D ^ 2 / 2).
  Proof.
    intros HV HD.
    rewrite S10_chain_rule.
    - apply S10_sequence_bound.
      + intros q. now apply softmax_dist.
      + intros q. apply S4_two; auto.
    - intros q. now apply softmax_dist.
    - intros q. now apply softmax_dist.
    - intros q t _ E. pose proof (softmax_pos V HV (zS q) t). lra.
  Qed.

  (** The tension on cliffs: lifting the success probability from p0 to pg with
      n tokens needs n D^2 / 2 >= kl2(pg, p0). *)
  Theorem S10_cliff_tension (zT zS : list T -> T -> R) D n pre (acc : list T -> bool) :
    V <> [] ->
    (forall pre t, In t V -> Rabs (zT pre t - zS pre t) <= D) ->
    kl2 (success (completions n) (joint (fun pre => softmax V (zT pre)) pre) acc)
        (success (completions n) (joint (fun pre => softmax V (zS pre)) pre) acc)
      <= INR n * (D ^ 2 / 2).
  Proof.
    intros HV HD. eapply Rle_trans; [|now apply (S10_prop1_sequence zT zS D n pre)].
    apply S9_data_processing.
    - apply joint_dist. intros q. now apply softmax_dist.
    - apply joint_dist. intros q. now apply softmax_dist.
    - apply joint_ac. intros q t _ E. pose proof (softmax_pos V HV (zS q) t). lra.
  Qed.

  (** Along a whole completion the log-ratio of two such policies is within 2 n D. *)
  Lemma softmax_log_ratio zP zQ D t :
    V <> [] -> In t V -> (forall u, In u V -> Rabs (zP u - zQ u) <= D) ->
    - (2 * D) <= ln (softmax V zP t / softmax V zQ t) <= 2 * D.
  Proof.
    intros HV Ht HD.
    assert (G : forall zA zB, (forall u, In u V -> Rabs (zA u - zB u) <= D) ->
      ln (softmax V zA t / softmax V zB t) <= 2 * D).
    { clear zP zQ HD. intros zA zB HD.
      pose proof (sumexp_pos V HV zA) as PA. pose proof (sumexp_pos V HV zB) as PB.
      assert (S1 : sumexp V zB <= exp D * sumexp V zA).
      { unfold sumexp. rewrite <- sum_scal. apply sum_le; intros u Hu. rewrite <- exp_plus.
        specialize (HD u Hu). apply Rabs_le_between in HD.
        destruct (Req_dec (zB u) (D + zA u)) as [->|N]; [lra|left; apply exp_increasing; lra]. }
      replace (softmax V zA t / softmax V zB t) with (exp (zA t - zB t) * (sumexp V zB / sumexp V zA)).
      - rewrite ln_mult, ln_exp; [|apply exp_pos|now apply Rdiv_lt_0_compat].
        assert (ln (sumexp V zB / sumexp V zA) <= D).
        { rewrite <- (ln_exp D). apply ln_le_mono; [now apply Rdiv_lt_0_compat|].
          apply (Rmult_le_reg_r (sumexp V zA)); [assumption|].
          replace (sumexp V zB / sumexp V zA * sumexp V zA) with (sumexp V zB) by (field; lra). lra. }
        specialize (HD t Ht). apply Rabs_le_between in HD. lra.
      - unfold softmax. replace (zA t - zB t) with (zA t + - zB t) by ring.
        rewrite exp_plus, exp_Ropp. pose proof (exp_pos (zB t)). field. lra. }
    split; [|now apply G].
    pose proof (G zQ zP ltac:(intros u Hu; rewrite Rabs_minus_sym; now apply HD)) as H.
    pose proof (softmax_pos V HV zP t). pose proof (softmax_pos V HV zQ t).
    replace (softmax V zP t / softmax V zQ t) with (/ (softmax V zQ t / softmax V zP t)) by (field; lra).
    rewrite ln_Rinv by now apply Rdiv_lt_0_compat. lra.
  Qed.

  Theorem S10_trajectory_log_ratio (zP zQ : list T -> T -> R) D n :
    V <> [] ->
    (forall pre t, In t V -> Rabs (zP pre t - zQ pre t) <= D) ->
    forall pre ts, In ts (completions n) ->
    - (INR n * (2 * D))
    <= ln (joint (fun pre => softmax V (zP pre)) pre ts / joint (fun pre => softmax V (zQ pre)) pre ts)
    <= INR n * (2 * D).
  Proof.
    intros HV HD.
    assert (J : forall z pre ts, 0 < joint (fun pre => softmax V (z pre)) pre ts).
    { intros z pre ts. revert pre. induction ts as [|t ts IH]; intros pre; simpl; [lra|].
      apply Rmult_lt_0_compat; [now apply softmax_pos|apply IH]. }
    induction n as [|n IH]; intros pre ts Hts.
    - destruct Hts as [<-|[]]. simpl. replace (1 / 1) with 1 by field. rewrite ln_1. lra.
    - apply in_completions_S in Hts. destruct Hts as (t & ts' & -> & Ht & Hts').
      specialize (IH (pre ++ [t]) ts' Hts').
      pose proof (softmax_log_ratio (zP pre) (zQ pre) D t HV Ht (HD pre)) as R1. simpl joint.
      pose proof (J zP (pre ++ [t]) ts') as JP. pose proof (J zQ (pre ++ [t]) ts') as JQ.
      pose proof (softmax_pos V HV (zP pre) t) as SP. pose proof (softmax_pos V HV (zQ pre) t) as SQ.
      set (a := softmax V (zP pre) t) in *. set (b := softmax V (zQ pre) t) in *.
      set (c := joint (fun pre => softmax V (zP pre)) (pre ++ [t]) ts') in *.
      set (d := joint (fun pre => softmax V (zQ pre)) (pre ++ [t]) ts') in *.
      replace (a * c / (b * d)) with ((a / b) * (c / d)) by (field; lra).
      rewrite ln_mult by now apply Rdiv_lt_0_compat. rewrite S_INR. lra.
  Qed.

  (** Hence the repaired link between Propositions 1 and 2: the filtered teacher is within
      2 (n D)^2 of the filtered student. *)
  Theorem S10_target_gap (zT zS : list T -> T -> R) D n pre (acc : list T -> bool) :
    V <> [] -> 0 <= D ->
    (forall pre t, In t V -> Rabs (zT pre t - zS pre t) <= D) ->
    let mug := joint (fun pre => softmax V (zT pre)) pre in
    let mu0 := joint (fun pre => softmax V (zS pre)) pre in
    0 < success (completions n) mug acc -> 0 < success (completions n) mu0 acc ->
    KL (completions n) (filtered (completions n) mug acc) (filtered (completions n) mu0 acc)
      <= 2 * (INR n * D) ^ 2.
  Proof.
    intros HV HD0 HD mug mu0 Hg H0.
    assert (J : forall z pre ts, 0 < joint (fun pre => softmax V (z pre)) pre ts).
    { intros z p ts. revert p. induction ts as [|t ts IH]; intros p; simpl; [lra|].
      apply Rmult_lt_0_compat; [now apply softmax_pos|apply IH]. }
    replace (2 * (INR n * D) ^ 2) with ((INR n * (2 * D) - - (INR n * (2 * D))) ^ 2 / 8) by field.
    assert (HnD : 0 <= INR n * (2 * D)) by (apply Rmult_le_pos; [apply pos_INR|lra]).
    apply S9_target_gap_bound; auto.
    - apply joint_dist. intros q. now apply softmax_dist.
    - intros t _ _. apply J.
    - intros t _ _. apply J.
    - lra.
    - intros ts Hts _. apply S10_trajectory_log_ratio; auto.
      intros q t Ht. rewrite Rabs_minus_sym. now apply HD.
  Qed.

  (** ** Next-token law of the filtered policy mu(.|R=1): Doob's h-transform. *)
  Variable acc : list T -> bool.              (* verifier on full sequences *)

  (** success-to-go *)
  Definition success_to_go P n pre : R := sum (completions n) (fun ts => joint P pre ts * reward acc (pre ++ ts)).

  Definition filtered_token P n pre t : R := P pre t * success_to_go P (n - 1) (pre ++ [t]) / success_to_go P n pre.

  Fixpoint filtered_joint P (n : nat) pre ts : R :=
    match ts with
    | [] => 1
    | t :: ts' => filtered_token P n pre t * filtered_joint P (n - 1) (pre ++ [t]) ts'
    end.

  Lemma success_to_go_term_le P n pre ts : policy P -> In ts (completions n) ->
    joint P pre ts * reward acc (pre ++ ts) <= success_to_go P n pre.
  Proof.
    intros HP Hts. unfold success_to_go.
    apply (sum_ge_term (completions n) (fun ts => joint P pre ts * reward acc (pre ++ ts))); auto.
    intros u Hu. apply Rmult_le_pos; [now apply (joint_nonneg P n)|unfold reward; destruct (acc _); lra].
  Qed.

  Lemma success_to_go_nonneg P n pre : policy P -> 0 <= success_to_go P n pre.
  Proof.
    intros HP. apply sum_nonneg. intros u Hu.
    apply Rmult_le_pos; [now apply (joint_nonneg P n)|unfold reward; destruct (acc _); lra].
  Qed.

  Lemma success_to_go_S P n pre : success_to_go P (S n) pre = sum V (fun t => P pre t * success_to_go P n (pre ++ [t])).
  Proof.
    unfold success_to_go. rewrite sum_completions_S. apply sum_ext; intros t _. rewrite <- sum_scal.
    apply sum_ext; intros ts _. simpl. rewrite <- app_assoc. simpl. ring.
  Qed.

  (** The sequence law mu(.|R=1) factorises with next-token law
      P(t|pre) * V(pre t) / V(pre) -- NOT with P(t|pre). *)
  Theorem S10_filtered_next_token P n :
    policy P -> forall pre ts, In ts (completions n) -> 0 < success_to_go P n pre ->
    filtered_joint P n pre ts = joint P pre ts * reward acc (pre ++ ts) / success_to_go P n pre.
  Proof.
    intros HP. induction n as [|n IH]; intros pre ts Hts HV.
    - destruct Hts as [<-|[]]. simpl. unfold success_to_go in HV |- *. simpl in HV |- *.
      rewrite app_nil_r in *. unfold reward in *. destruct (acc pre); [field|lra].
    - apply in_completions_S in Hts. destruct Hts as (t & ts' & -> & Ht & Hts').
      change (filtered_joint P (S n) pre (t :: ts')) with
        (filtered_token P (S n) pre t * filtered_joint P (S n - 1) (pre ++ [t]) ts').
      unfold filtered_token. replace (S n - 1)%nat with n by lia.
      pose proof (success_to_go_nonneg P n (pre ++ [t]) HP) as H0.
      pose proof (success_to_go_term_le P n (pre ++ [t]) ts' HP Hts') as H1.
      rewrite <- app_assoc in H1. simpl in H1 |- *.
      destruct (Req_dec (success_to_go P n (pre ++ [t])) 0) as [E|N].
      + rewrite E in *.
        assert (H2 : 0 <= joint P (pre ++ [t]) ts' * reward acc (pre ++ t :: ts')).
        { apply Rmult_le_pos; [now apply (joint_nonneg P n)|unfold reward; destruct (acc _); lra]. }
        replace (P pre t * joint P (pre ++ [t]) ts' * reward acc (pre ++ t :: ts'))
          with (P pre t * (joint P (pre ++ [t]) ts' * reward acc (pre ++ t :: ts'))) by ring.
        replace (joint P (pre ++ [t]) ts' * reward acc (pre ++ t :: ts')) with 0 by lra.
        unfold Rdiv. ring.
      + rewrite IH by (auto; lra). rewrite <- app_assoc. simpl. field. lra.
  Qed.

  Corollary S10_filtered_token_dist P n pre :
    0 < success_to_go P (S n) pre -> sum V (filtered_token P (S n) pre) = 1.
  Proof.
    intros HV. unfold filtered_token. rewrite sum_div. replace (S n - 1)%nat with n by lia.
    rewrite <- success_to_go_S. field. lra.
  Qed.
End Sequence.
