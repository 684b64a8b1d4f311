(** * S1, S2: KL-regularised optimum and its hard-threshold limit. *)
From Coq Require Import Reals List Lra.
From Coquelicot Require Import Coquelicot.
From HDPO Require Import FinSum.
Import ListNotations.
Open Scope R_scope.

Section Gibbs.
  Context {T : Type}.
  Variable l : list T.
  Variable mu : T -> R.
  Hypothesis Hmu : dist l mu.

  Definition normalizer (f : T -> R) (beta : R) : R := sum l (fun t => mu t * exp (f t / beta)).
  Definition gibbs_policy (f : T -> R) (beta : R) (t : T) : R :=
    mu t * exp (f t / beta) / normalizer f beta.
  (** The objective E_pi[f] - beta KL(pi||mu). *)
  Definition J (f : T -> R) (beta : R) (pi : T -> R) : R :=
    expect l pi f - beta * KL l pi mu.

  Lemma mu_pos_exists : exists t, In t l /\ 0 < mu t.
  Proof.
    destruct Hmu as [H0 H1].
    destruct (Rle_lt_dec (sum l mu) 0) as [E|E]; [lra|].
    clear H1 Hmu. induction l as [|a l' IH]; simpl in *; [lra|].
    destruct (Rle_lt_dec (mu a) 0).
    - destruct IH as (t & Ht & Hp); [auto|lra|]. exists t; auto.
    - exists a; auto.
  Qed.

  Lemma normalizer_pos f beta : 0 < normalizer f beta.
  Proof.
    destruct Hmu as [H0 _]. apply sum_pos.
    - intros t Ht. apply Rmult_le_pos; [auto|left; apply exp_pos].
    - destruct mu_pos_exists as (t & Ht & Hp). exists t; split; auto.
      apply Rmult_lt_0_compat; [auto|apply exp_pos].
  Qed.

  Lemma gibbs_policy_dist f beta : dist l (gibbs_policy f beta).
  Proof.
    pose proof (normalizer_pos f beta) as HZ. destruct Hmu as [H0 _]. split.
    - intros t Ht. unfold gibbs_policy. apply Rmult_le_pos; [|left; now apply Rinv_0_lt_compat].
      apply Rmult_le_pos; [auto|left; apply exp_pos].
    - unfold gibbs_policy. rewrite sum_div. fold (normalizer f beta). field; lra.
  Qed.

  Lemma gibbs_policy_zero f beta t : gibbs_policy f beta t = 0 <-> mu t = 0.
  Proof.
    pose proof (normalizer_pos f beta) as HZ. unfold gibbs_policy. split.
    - intros E.
      apply (Rmult_eq_compat_r (normalizer f beta)) in E.
      replace (mu t * exp (f t / beta) / normalizer f beta * normalizer f beta)
        with (mu t * exp (f t / beta)) in E by (field; lra).
      pose proof (exp_pos (f t / beta)).
      destruct (Rmult_integral (mu t) (exp (f t / beta))); lra.
    - intros ->. unfold Rdiv; ring.
  Qed.

  (** S1 (identity): the objective is beta log Z minus a KL to the optimum. *)
  Theorem S1_decomposition f beta pi :
    0 < beta -> dist l pi -> abs_cont l pi mu ->
    J f beta pi = beta * ln (normalizer f beta) - beta * KL l pi (gibbs_policy f beta).
  Proof.
    intros Hb [Hpi Spi] Hac.
    pose proof (normalizer_pos f beta) as HZ. destruct Hmu as [H0 _].
    unfold J, expect, KL.
    replace (beta * ln (normalizer f beta)) with (sum l (fun t => pi t * (beta * ln (normalizer f beta))))
      by (rewrite sum_scal_r, Spi; ring).
    rewrite <- !sum_scal, <- !sum_minus.
    apply sum_ext; intros t Ht.
    destruct (Req_dec (pi t) 0) as [->|Np].
    - rewrite !kl_term_0; ring.
    - assert (Pp : 0 < pi t) by (specialize (Hpi t Ht); lra).
      assert (Pm : 0 < mu t).
      { specialize (H0 t Ht). destruct (Req_dec (mu t) 0); [|lra]. specialize (Hac t Ht); tauto. }
      unfold kl_term, gibbs_policy.
      pose proof (exp_pos (f t / beta)) as He.
      replace (pi t / (mu t * exp (f t / beta) / normalizer f beta))
        with ((pi t / mu t) * (normalizer f beta / exp (f t / beta))) by (field; lra).
      rewrite (ln_mult (pi t / mu t)) by (apply Rdiv_lt_0_compat; lra).
      rewrite (ln_div (normalizer f beta)) by lra.
      rewrite ln_exp. field; lra.
  Qed.

  (** S1 (inequality). *)
  Theorem S1_upper_bound f beta pi :
    0 < beta -> dist l pi -> abs_cont l pi mu -> J f beta pi <= beta * ln (normalizer f beta).
  Proof.
    intros Hb Hpi Hac. rewrite S1_decomposition by assumption.
    assert (0 <= KL l pi (gibbs_policy f beta)).
    { apply KL_nonneg; auto using gibbs_policy_dist.
      intros t Ht E. apply Hac; auto. now apply (gibbs_policy_zero f beta). }
    assert (0 <= beta * KL l pi (gibbs_policy f beta)) by (apply Rmult_le_pos; lra). lra.
  Qed.

  (** S1 (attained). *)
  Theorem S1_attained f beta : 0 < beta -> J f beta (gibbs_policy f beta) = beta * ln (normalizer f beta).
  Proof.
    intros Hb. rewrite S1_decomposition; auto using gibbs_policy_dist.
    - replace (KL l (gibbs_policy f beta) (gibbs_policy f beta)) with 0; [ring|].
      symmetry. apply KL_eq0_iff; auto using gibbs_policy_dist. intros t _ E; exact E.
    - intros t _ E. now apply gibbs_policy_zero.
  Qed.

  (** S1 (uniqueness / equality case). *)
  Theorem S1_unique f beta pi :
    0 < beta -> dist l pi -> abs_cont l pi mu ->
    (J f beta pi = beta * ln (normalizer f beta) <-> forall t, In t l -> pi t = gibbs_policy f beta t).
  Proof.
    intros Hb Hpi Hac. rewrite S1_decomposition by assumption.
    assert (Hac' : abs_cont l pi (gibbs_policy f beta))
      by (intros t Ht E; apply Hac; auto; now apply (gibbs_policy_zero f beta)).
    rewrite <- (KL_eq0_iff l pi (gibbs_policy f beta)); auto using gibbs_policy_dist.
    split; intros E; [|rewrite E; ring].
    apply (Rmult_eq_reg_l beta); lra.
  Qed.

  (** ** Binary reward *)
  Variable R1 : T -> bool.                    (* R1 t = true  <->  reward 1 *)
  Definition reward (t : T) : R := if R1 t then 1 else 0.
  Definition success : R := expect l mu reward.    (* p = mu(R = 1) *)
  Definition filtered (t : T) : R := mu t * reward t / success.  (* mu(. | R = 1) *)

  Lemma success_bounds : 0 <= success <= 1.
  Proof.
    destruct Hmu as [H0 H1]. unfold success, expect. split.
    - apply sum_nonneg; intros t Ht. unfold reward. specialize (H0 t Ht). destruct (R1 t); lra.
    - rewrite <- H1. apply sum_le; intros t Ht. unfold reward. specialize (H0 t Ht). destruct (R1 t); lra.
  Qed.

  Lemma sum_fail : sum l (fun t => mu t * (1 - reward t)) = 1 - success.
  Proof.
    destruct Hmu as [_ H1]. unfold success, expect.
    rewrite (sum_ext l _ (fun t => mu t - mu t * reward t)) by (intros; ring).
    now rewrite sum_minus, H1.
  Qed.

  (** Z = (1-p) + p e^{1/beta}. *)
  Theorem S1_Z_binary beta : normalizer reward beta = (1 - success) + success * exp (1 / beta).
  Proof.
    rewrite <- sum_fail. unfold success, expect, normalizer.
    rewrite <- sum_scal_r, <- sum_plus. apply sum_ext; intros t Ht.
    unfold reward. destruct (R1 t).
    - ring.
    - unfold Rdiv. rewrite Rmult_0_l, exp_0. ring.
  Qed.

  Lemma filtered_dist : 0 < success -> dist l filtered.
  Proof.
    intros Hp. destruct Hmu as [H0 _]. split.
    - intros t Ht. unfold filtered, reward. apply Rmult_le_pos; [|left; now apply Rinv_0_lt_compat].
      specialize (H0 t Ht). destruct (R1 t); lra.
    - unfold filtered. rewrite sum_div. fold (expect l mu reward). fold success. field; lra.
  Qed.

  (** Success probability of the optimum: p e^{1/beta} / Z. *)
  Theorem S1_success beta :
    expect l (gibbs_policy reward beta) reward = success * exp (1 / beta) / normalizer reward beta.
  Proof.
    unfold expect, gibbs_policy, success, expect, Rdiv at 1.
    unfold Rdiv at 2. rewrite <- sum_scal_r, <- sum_scal_r. apply sum_ext; intros t Ht.
    unfold reward. destruct (R1 t); unfold Rdiv; ring.
  Qed.

  (** Odds form: beta shifts the log-odds of success by exactly 1/beta. *)
  Theorem S1_odds beta :
    let s := expect l (gibbs_policy reward beta) reward in
    s * (1 - success) = (1 - s) * (success * exp (1 / beta)).
  Proof.
    intros s. unfold s. rewrite S1_success. pose proof (normalizer_pos reward beta) as HZ.
    rewrite S1_Z_binary in *. field. lra.
  Qed.

  (** S2 (exact total variation). *)
  Theorem S2_TV beta :
    0 < beta -> 0 < success ->
    TV l (gibbs_policy reward beta) filtered = (1 - success) / ((1 - success) + success * exp (1 / beta)).
  Proof.
    intros Hb Hp. rewrite <- S1_Z_binary.
    pose proof (normalizer_pos reward beta) as HZ. pose proof success_bounds as [_ Hp1].
    destruct Hmu as [H0 _]. unfold TV.
    set (Z := normalizer reward beta) in *. set (E := exp (1 / beta)).
    assert (HE : 0 < E) by apply exp_pos.
    assert (HZeq : Z = (1 - success) + success * E) by apply S1_Z_binary.
    assert (Hc : E / Z <= / success).
    { apply (Rmult_le_reg_r (Z * success)); [apply Rmult_lt_0_compat; lra|].
      replace (E / Z * (Z * success)) with (success * E) by (field; lra).
      replace (/ success * (Z * success)) with Z by (field; lra). lra. }
    rewrite (sum_ext l _ (fun t => (mu t * reward t) * (/ success - E / Z) + (mu t * (1 - reward t)) * / Z)).
    - rewrite sum_plus, !sum_scal_r, sum_fail. fold (expect l mu reward). fold success.
      apply (Rmult_eq_reg_r (2 * Z)); [|lra].
      replace (/ 2 * (success * (/ success - E / Z) + (1 - success) * / Z) * (2 * Z))
        with (Z - success * E + (1 - success)) by (field; lra).
      replace ((1 - success) / Z * (2 * Z)) with (2 * (1 - success)) by (field; lra). lra.
    - intros t Ht. specialize (H0 t Ht). unfold gibbs_policy, filtered. fold Z. unfold reward. destruct (R1 t).
      + fold E.
        replace (mu t * E / Z - mu t * 1 / success) with (- (mu t * (/ success - E / Z))) by (field; lra).
        rewrite Rabs_Ropp, Rabs_right; [ring|]. apply Rle_ge, Rmult_le_pos; lra.
      + replace (0 / beta) with 0 by (field; lra). rewrite exp_0.
        replace (mu t * 1 / Z - mu t * 0 / success) with (mu t * / Z) by (field; lra).
        rewrite Rabs_right; [ring|]. apply Rle_ge, Rmult_le_pos; [auto|left; now apply Rinv_0_lt_compat].
  Qed.

  (** S2 (exponential rate). *)
  Theorem S2_TV_rate beta :
    0 < beta -> 0 < success ->
    TV l (gibbs_policy reward beta) filtered <= (1 - success) / success * exp (- (1 / beta)).
  Proof.
    intros Hb Hp. rewrite S2_TV by assumption. pose proof success_bounds as [_ Hp1].
    rewrite exp_Ropp. set (E := exp (1 / beta)). assert (HE : 0 < E) by apply exp_pos.
    assert (HpE : 0 < success * E) by (apply Rmult_lt_0_compat; lra).
    replace ((1 - success) / success * / E) with ((1 - success) * / (success * E)) by (field; lra).
    unfold Rdiv. apply Rmult_le_compat_l; [lra|]. apply Rinv_le_contravar; lra.
  Qed.

  (** S2 (exact forward KL from the limit to the optimum). *)
  Theorem S2_KL beta :
    0 < beta -> 0 < success ->
    KL l filtered (gibbs_policy reward beta) = ln (1 + (1 - success) / success * exp (- (1 / beta))).
  Proof.
    intros Hb Hp. pose proof (normalizer_pos reward beta) as HZ. pose proof success_bounds as [_ Hp1].
    destruct (filtered_dist Hp) as [Hc0 Hc1]. destruct Hmu as [H0 _].
    rewrite exp_Ropp. set (E := exp (1 / beta)). assert (HE : 0 < E) by apply exp_pos.
    assert (HpE : 0 < success * E) by (apply Rmult_lt_0_compat; lra).
    replace (1 + (1 - success) / success * / E) with (normalizer reward beta / (success * E))
      by (rewrite S1_Z_binary; fold E; field; lra).
    rewrite <- (Rmult_1_l (ln _)), <- Hc1, <- sum_scal_r. unfold KL.
    apply sum_ext; intros t Ht. unfold kl_term.
    destruct (Req_dec (filtered t) 0) as [->|Nc]; [ring|].
    f_equal. f_equal. unfold filtered, gibbs_policy, reward in *. specialize (H0 t Ht).
    destruct (R1 t).
    - fold E. assert (mu t <> 0) by (intros E0; apply Nc; rewrite E0; unfold Rdiv; ring).
      field; lra.
    - exfalso. apply Nc. unfold Rdiv; ring.
  Qed.

  (** S2 (limit): pi*_beta(t) -> mu(t | R=1) as beta -> 0+. *)
  Lemma TV_pointwise p q t : In t l -> Rabs (p t - q t) <= 2 * TV l p q.
  Proof.
    intros Ht. unfold TV.
    replace (2 * (/ 2 * sum l (fun t => Rabs (p t - q t)))) with (sum l (fun t => Rabs (p t - q t))) by lra.
    apply (sum_ge_term l (fun t => Rabs (p t - q t))); auto. intros; apply Rabs_pos.
  Qed.

  Theorem S2_limit t :
    0 < success -> In t l ->
    filterlim (fun beta => gibbs_policy reward beta t) (at_right 0) (locally (filtered t)).
  Proof.
    intros Hp Ht. pose proof success_bounds as [_ Hp1].
    apply filterlim_locally. intros eps. destruct eps as [eps He]; simpl.
    (* beta < 1/(ln stuff): use exp(-1/beta) <= beta *)
    set (c := 2 * ((1 - success) / success)).
    assert (Hc : 0 <= c).
    { unfold c. apply Rmult_le_pos; [lra|]. apply Rmult_le_pos; [lra|]. left; now apply Rinv_0_lt_compat. }
    assert (Hd : 0 < eps / (c + 1)) by (apply Rdiv_lt_0_compat; lra).
    exists (mkposreal _ Hd). intros beta Hball Hb. simpl in *.
    change (Rabs (beta - 0) < eps / (c + 1)) in Hball.
    rewrite Rminus_0_r, Rabs_right in Hball by lra.
    change (Rabs (gibbs_policy reward beta t - filtered t) < eps).
    eapply Rle_lt_trans; [apply TV_pointwise; assumption|].
    eapply Rle_lt_trans; [apply Rmult_le_compat_l; [lra|apply S2_TV_rate; assumption]|].
    replace (2 * ((1 - success) / success * exp (- (1 / beta)))) with (c * exp (- (1 / beta))) by (unfold c; ring).
    assert (He1 : exp (- (1 / beta)) <= beta).
    { rewrite exp_Ropp. pose proof (exp_ineq1_le (1 / beta)) as H.
      assert (0 < 1 / beta) by (apply Rdiv_lt_0_compat; lra).
      replace beta with (/ (1 / beta)) at 2 by (field; lra).
      apply Rinv_le_contravar; lra. }
    apply Rle_lt_trans with (c * beta); [apply Rmult_le_compat_l; assumption|].
    apply Rle_lt_trans with ((c + 1) * beta); [apply Rmult_le_compat_r; lra|].
    apply (Rmult_lt_compat_l (c + 1)) in Hball; [|lra].
    replace ((c + 1) * (eps / (c + 1))) with eps in Hball by (field; lra). lra.
  Qed.

  (** S2 (cliff): without support on success the regularised optimum IS the
      reference, for every temperature; nothing is learnt and the limit is mu. *)
  Theorem S2_cliff_fixed_point beta t :
    0 < beta -> success = 0 -> In t l -> gibbs_policy reward beta t = mu t.
  Proof.
    intros Hb Hp Ht. destruct Hmu as [H0 _].
    assert (Hz : mu t * reward t = 0).
    { apply (sum_nonneg_zero l (fun t => mu t * reward t)); auto.
      intros u Hu. specialize (H0 u Hu). unfold reward; destruct (R1 u); lra. }
    unfold gibbs_policy. rewrite S1_Z_binary, Hp.
    replace (1 - 0 + 0 * exp (1 / beta)) with 1 by ring.
    unfold reward in *. destruct (R1 t).
    - replace (mu t) with 0 by lra. field.
    - replace (0 / beta) with 0 by (field; lra). rewrite exp_0. field.
  Qed.

  (** S2 (what the limit selects): mu(.|R=1) is the information projection of
      mu on the policies of success probability one. *)
  Theorem S2_information_projection pi :
    0 < success -> dist l pi -> abs_cont l pi mu -> expect l pi reward = 1 ->
    KL l pi mu = KL l pi filtered - ln success.
  Proof.
    intros Hp [Hpi Spi] Hac Hs. destruct Hmu as [H0 _].
    assert (Hz : forall t, In t l -> pi t * (1 - reward t) = 0).
    { apply sum_nonneg_zero.
      - intros t Ht. specialize (Hpi t Ht). unfold reward; destruct (R1 t); lra.
      - rewrite (sum_ext l _ (fun t => pi t - pi t * reward t)) by (intros; ring).
        rewrite sum_minus, Spi. unfold expect in Hs. rewrite Hs. ring. }
    unfold KL. rewrite <- (Rmult_1_l (ln success)), <- Spi, <- sum_scal_r, <- sum_minus.
    apply sum_ext; intros t Ht. unfold kl_term.
    destruct (Req_dec (pi t) 0) as [->|Np]; [ring|].
    specialize (Hz t Ht). specialize (Hpi t Ht). specialize (H0 t Ht).
    assert (Pm : 0 < mu t) by (destruct (Req_dec (mu t) 0); [specialize (Hac t Ht); tauto|lra]).
    unfold filtered, reward in *. destruct (R1 t); [|lra].
    replace (pi t / (mu t * 1 / success)) with ((pi t / mu t) * success) by (field; lra).
    rewrite (ln_mult (pi t / mu t)) by (try apply Rdiv_lt_0_compat; lra). ring.
  Qed.

  (** The bias of distilling the UNFILTERED reference instead of mu(.|R=1). *)
  Theorem S2_unfiltered_bias : 0 < success -> TV l mu filtered = 1 - success.
  Proof.
    intros Hp. pose proof success_bounds as [_ Hp1]. destruct Hmu as [H0 _]. unfold TV.
    rewrite (sum_ext l _ (fun t => (mu t * reward t) * (/ success - 1) + mu t * (1 - reward t))).
    - rewrite sum_plus, sum_scal_r, sum_fail. fold (expect l mu reward). fold success.
      field; lra.
    - intros t Ht. specialize (H0 t Ht). unfold filtered, reward.
      assert (1 <= / success).
      { rewrite <- Rinv_1. apply Rinv_le_contravar; lra. }
      destruct (R1 t).
      + replace (mu t - mu t * 1 / success) with (- (mu t * (/ success - 1))) by (field; lra).
        rewrite Rabs_Ropp, Rabs_right; [ring|]. apply Rle_ge, Rmult_le_pos; lra.
      + replace (mu t - mu t * 0 / success) with (mu t) by (field; lra). rewrite Rabs_right; lra.
  Qed.
End Gibbs.
